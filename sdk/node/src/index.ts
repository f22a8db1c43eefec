/** Calls tools through an Aegis mesh as an agent: a proof for each call, refusals as errors. Needs nothing but Node. */

export { Aegis } from "./aegis.js";
export type { AegisOptions } from "./aegis.js";
export { AegisDenied, AegisError, AegisUnavailable, ApprovalNeeded } from "./errors.js";
export type { PendingOptions, Standing, WaitOptions } from "./errors.js";
export type { MeshFetch } from "./fetch.js";
export type { WrapOptions } from "./functions.js";
