/** Parts of the viewer that the console uses as well; they touch no page and are no part of the package's surface. */
export { Backoff, delay } from "./backoff.js";
export { errorOf, headersFor, ServerError } from "./signalling.js";
export { Scope } from "./scope.js";
export type { Reason } from "./messages.js";
