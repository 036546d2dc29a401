/** The API's documents (docs/protocol.md). */
import type { Reason } from "@oriel/desktop/internal";

export type DesktopState = "creating" | "booting" | "configuring" | "ready" | "paused" | "failed" | "destroying" | "destroyed";

export interface Step {
  name: string;
  state: "running" | "done" | "failed";
  startedAt?: string | null;
  elapsedMs?: number | null;
  detail?: string | null;
}

export interface Rule {
  host: string;
  ports: number[];
}

export interface Policy {
  mode: "internet" | "list" | "none";
  allow: Rule[];
  deny: Rule[];
  upstream?: { type: "http" | "socks5"; host: string; port: number; username?: string; password?: string } | null;
}

/** A warning about a desktop that still runs; it goes away with its cause. */
export interface Warning {
  code: string;
  message: string;
  since: string;
}

export interface Desktop {
  id: string;
  name: string;
  template: string;
  state: DesktopState;
  reason: Reason | null;
  image: { name: string; digest: string } | null;
  driver: string;
  isolation: string;
  /** Whether a second desktop can go on from this one as it is. */
  canFork: boolean;
  width: number;
  height: number;
  hostname: string;
  createdAt: string;
  readyAt: string | null;
  expiresAt: string | null;
  steps: Step[];
  egress: Policy;
  viewers: number;
  warnings: Warning[];
}

export interface CreateRequest {
  template?: string;
  name?: string;
  width?: number;
  height?: number;
  files?: Array<{ path: string; content: string; mode?: string; owner?: string }>;
  env?: Record<string, string>;
  hostname?: string;
  timeZone?: string;
  keyboardLayout?: string;
  startUrl?: string;
  trust?: string[];
  egress?: Policy;
  ttl?: number;
  idleTimeout?: number;
}

export interface EgressEntry {
  id: number | string;
  at: string;
  host: string;
  address: string | null;
  port: number;
  kind: string;
  verdict: "allowed" | "refused" | "failed";
  reason: string | null;
  rule?: string | null;
  bytesUp: number;
  bytesDown: number;
  durationMs: number;
  open: boolean;
}

export interface EgressView {
  policy: Policy;
  connections: number;
  dropped: Record<string, number>;
  internet: "reachable" | "unreachable" | "unknown";
  log: EgressEntry[];
}

export interface Image {
  name: string;
  createdAt: string;
  /** Security fixes may be missing in it. */
  old: boolean;
  usable: boolean;
}

/** The image that new desktops start from, where it is old. */
export function oldImage(images: readonly Image[]): Image | null {
  const newest = images.find(({ usable }) => usable);
  return newest?.old ? newest : null;
}

export interface FileEntry {
  name: string;
  type: "file" | "directory" | "link" | "other";
  size: number;
}

/** A process that was started over the API. */
export interface Process {
  id: string;
  pty: boolean;
  state: "running" | "exited";
  exitCode: number | null;
}

/** Somebody who is signed in. */
export interface Session {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  address: string;
  browser: string;
  /** Whether it is this page's. */
  current: boolean;
}

export interface SessionInfo {
  signedIn: boolean;
  version: string;
  maxDesktops: number;
  desktops: number;
}

export function isStarting(state: DesktopState): boolean {
  return state === "creating" || state === "booting" || state === "configuring";
}

export function isAlive(state: DesktopState): boolean {
  return isStarting(state) || state === "ready" || state === "paused";
}

const order: readonly DesktopState[] = ["creating", "booting", "configuring", "ready", "paused", "failed", "destroying", "destroyed"];

/** A desktop goes one way, but for pausing: a state that was reported before the known one is out of date, replayed or overtaken. */
export function isNewer(told: DesktopState, known: DesktopState): boolean {
  return (told === "ready" && known === "paused") || order.indexOf(told) >= order.indexOf(known);
}
