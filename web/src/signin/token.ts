/** The one-time token of a sign-in address: in the fragment, which no server or log sees. */
export function tokenFrom(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}

/** Where to go after signing in: the page that was left, if it is one of ours. */
export function returnPath(left: string | null): string {
  return left !== null && /^\/(?:new|desktops\/[a-z0-9-]+)?$/.test(left) ? left : "/";
}
