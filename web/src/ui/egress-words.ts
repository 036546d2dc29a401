import type { EgressView } from "../api/types.js";

const reasons: Record<string, string> = {
  "policy-none": "nothing is allowed",
  "policy-denied": "on the deny list",
  "policy-not-listed": "not on the list",
  "policy-changed": "cut by a new policy",
  "private-address": "a private address",
  "own-network": "the server's own network",
  "operator-denied": "closed by the operator",
  "upstream-private": "the upstream proxy is at a private address",
  "own-port": "Oriel's own port",
  "too-many-connections": "too many at once",
  "bad-request": "not a proper request",
  "name-not-found": "no such name",
  "connect-failed": "does not answer",
  "connect-timeout": "no answer in time",
  "upstream-failed": "the upstream proxy failed",
  "desktop-gone": "the desktop is gone",
};

/** Why a connection was refused or failed, in words; a reason that is not known here is shown as it is. */
export function reasonText(reason: string): string {
  return (Object.hasOwn(reasons, reason) ? reasons[reason] : undefined) ?? reason;
}

/** One line on the way out: what is open, whether the internet is there, and what never got as far as the proxy. */
export function egressSummary(view: EgressView): string {
  const { connections, internet } = view;
  const parts = [connections === 1 ? "1 connection open" : `${connections} connections open`];
  if (internet !== "unknown")
    parts.push(internet === "reachable" ? "the internet is reachable" : "the internet is not reachable from the server");
  const dropped = Object.entries(view.dropped ?? {})
    .filter(([name, count]) => name.startsWith("dropped-") && count > 0)
    .map(([name, count]) => `${count} ${name.slice("dropped-".length).replaceAll("-", " ").toUpperCase()}`);
  if (dropped.length > 0) parts.push(`dropped packets: ${dropped.join(", ")}`);
  const over = view.dropped?.["connections-over-limit"] ?? 0;
  if (over > 0) parts.push(`${over} connections beyond the limit`);
  return parts.join(" · ");
}
