"""Solutions and common mistakes of the exercises, one module for each chapter."""
