/** What the console uses of the viewer beside the element. None of it touches a page, and the published package does not export it. */
export { Backoff, delay } from "./backoff.js";
export { ClipboardTooLong } from "./clipboard-pieces.js";
export { errorOf, headersFor, ServerError, socketFor } from "./signalling.js";
export { Scope } from "./scope.js";
export type { Reason } from "./messages.js";
export { keepSessionSecret } from "./session-secret.js";
