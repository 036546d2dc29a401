export type Route = { page: "list" } | { page: "new" } | { page: "desktop"; id: string };

/** The page that a fragment names: `#/`, `#/new`, `#/d/<id>`. Unknown ones are the list. */
export function parseRoute(hash: string): Route {
  const [, first, second] = hash.replace(/^#/, "").split("/");
  if (first === "new") return { page: "new" };
  if (first === "d" && second && /^[a-z0-9-]{1,64}$/.test(second)) return { page: "desktop", id: second };
  return { page: "list" };
}

export function go(hash: string): void {
  location.hash = hash;
}
