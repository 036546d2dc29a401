/** The one-time token of a sign-in address: in the fragment (which no server or log sees) or, from hand-made links, in the query. */
export function tokenFrom(hash: string, search: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token") ?? new URLSearchParams(search).get("token");
}
