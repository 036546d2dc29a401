import type { Session } from "../api/types.js";
import { duration } from "./format.js";

/** What it was made with; versions before kept neither this nor the address. */
export function sessionTitle({ browser }: Session): string {
  return browser || "Unknown browser";
}

/** From where, since when, and when last used. */
export function sessionFacts({ address, createdAt, lastUsedAt }: Session, now: number): string[] {
  const used = now - Date.parse(lastUsedAt);
  return [
    address || "unknown address",
    `since ${new Date(createdAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}`,
    used < 60_000 ? "used just now" : `last used ${duration(used)} ago`,
  ];
}
