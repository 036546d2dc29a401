const secretKey = "oriel.session";

/**
 * The session's second secret. A cookie goes to every port of a host (RFC 6265 section 8.5), this origin's storage does not. Empty where
 * nobody signed in on this origin, or the browser has no storage for the page.
 */
export function sessionSecret(): string {
  try {
    return localStorage.getItem(secretKey) ?? "";
  } catch {
    return "";
  }
}

export function keepSessionSecret(secret: string): void {
  localStorage.setItem(secretKey, secret);
}
