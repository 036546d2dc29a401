import type { FileEntry } from "../api/types.js";

/** Folders first, then by name as people order it. */
export function sorted(entries: readonly FileEntry[]): FileEntry[] {
  const rank = (entry: FileEntry) => (entry.type === "directory" ? 0 : 1);
  return [...entries].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/** The directory and those above it, but for the root, which the API has no name for. */
export function parents(path: string): { name: string; path: string }[] {
  const names = path.split("/").filter(Boolean);
  return names.map((name, index) => ({ name, path: `/${names.slice(0, index + 1).join("/")}` }));
}

export function join(folder: string, name: string): string {
  return `${folder}/${name}`;
}
