import type { Warning } from "../api/types.js";

const titles: Record<string, string> = {
  "scratch-full": "disk nearly full",
  "disk-full": "server’s disk nearly full",
  halted: "halted",
};

/** In a word or three, for a chip. */
export function warningTitle(code: string): string {
  return Object.hasOwn(titles, code) ? titles[code]! : code.replaceAll("-", " ");
}

/** One occurrence: the same warning that comes back later is another. */
export function occurrence({ code, since }: Warning): string {
  return `${code} ${since}`;
}

/** Those that nobody has dismissed in this page, the latest first. */
export function unseen(warnings: readonly Warning[], dismissed: ReadonlySet<string>): Warning[] {
  return warnings.filter((warning) => !dismissed.has(occurrence(warning))).sort((a, b) => Date.parse(b.since) - Date.parse(a.since));
}

/** What a `warnings` event says; null for anything else. */
export function warningsOf(value: unknown): Warning[] | null {
  const told = (value as { warnings?: unknown } | null)?.warnings;
  return Array.isArray(told) ? (told as Warning[]) : null;
}
