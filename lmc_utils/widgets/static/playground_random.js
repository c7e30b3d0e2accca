// Random numbers of the playground: equal seeds give equal numbers.

// Numbers from 0 to 1 of a stream that depends on all the given whole numbers (sfc32).
export function randomStream(...parts) {
  const state = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  const next = () => {
    const sum = (((state[0] + state[1]) | 0) + state[3]) | 0;
    state[3] = (state[3] + 1) | 0;
    state[0] = state[1] ^ (state[1] >>> 9);
    state[1] = (state[2] + (state[2] << 3)) | 0;
    state[2] = (((state[2] << 21) | (state[2] >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (const part of parts) {
    state[0] ^= part;
    state[1] = (state[1] + Math.imul(part, 0x85ebca6b)) | 0;
    for (let round = 0; round < 15; round++) next();
  }
  return next;
}

// Normally distributed numbers (Box and Muller).
export function normalStream(random) {
  let spare = null;
  return () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const [radius, angle] = [Math.sqrt(-2 * Math.log(1 - random())), 2 * Math.PI * random()];
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}

// The numbers 0 to count - 1 in random order (Fisher and Yates).
export function shuffled(count, random) {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
