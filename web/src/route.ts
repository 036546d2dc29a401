export type Route = { page: "list" } | { page: "new" } | { page: "sessions" } | { page: "desktop"; id: string };

/** The page that a path names: `/`, `/new`, `/sessions`, `/desktops/<id>`. Unknown ones are the list. */
export function parseRoute(path: string): Route {
  const [, first, second] = path.split("/");
  if (first === "new") return { page: "new" };
  if (first === "sessions") return { page: "sessions" };
  if (first === "desktops" && second && /^[a-z0-9-]{1,64}$/.test(second)) return { page: "desktop", id: second };
  return { page: "list" };
}

/** Fired on window when the page changes its own path. */
export const routeChanged = "oriel-route";

export function go(path: string): void {
  history.pushState(null, "", path);
  window.dispatchEvent(new CustomEvent(routeChanged));
}

/** Follows a plain click on a link of this page without loading it anew. */
export function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.composedPath().find((target) => target instanceof HTMLAnchorElement);
  const path = link?.getAttribute("href");
  if (!path?.startsWith("/") || path.startsWith("/signin") || path.startsWith("/api")) return;
  event.preventDefault();
  go(path);
}
