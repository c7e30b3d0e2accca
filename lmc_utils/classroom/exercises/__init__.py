"""The exercises, a module for each chapter: what is right, and which mistakes are common."""
