/** Files longer than this are stored in chunks of it: what a client fetches for one read stays bearable. */
export const CHUNK_BYTES = 8 << 20
