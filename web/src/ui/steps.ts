import type { Step } from "../api/types.js";

/** How a step is called on the page; a step that is not here is shown by its own name. */
const titles: Record<string, string> = {
  store: "Writing it down",
  observe: "Looking at the desktop that it is a fork of",
  fork: "Copying that one's machine",
  queue: "Waiting for a free place",
  "image-disks": "Checking the image's disks",
  prepare: "Preparing",
  memory: "Taking the snapshot's memory",
  keeper: "Starting the keeper",
  "guest-start": "Starting the guest",
  agent: "Waiting for the agent",
  claim: "Taking one that waited",
  renew: "Giving it an identity of its own",
  "screen-size": "Setting the screen's size",
  configure: "Configuring",
  "terminal-window": "Waiting for the terminal",
  "browser-window": "Waiting for the browser",
  "first-frame": "Waiting for the first frame",
  "files-verified": "Reading the files back",
  "environment-verified": "Reading the environment back",
  "egress-canary": "Proving the way out",
  snapshot: "Saving its machine",
  adopt: "Finding the desktop again",
  namespaces: "Making namespaces",
  network: "Making the network",
  scratch: "Preparing the scratch disk",
  "container-create": "Making the container",
  "container-start": "Starting the container",
  "vm-start": "Starting the virtual machine",
  restore: "Restoring it from the snapshot",
  kernel: "Starting its kernel",
  "guest-disks": "Mounting its disks",
  "vm-boot": "Booting it",
  "agent-link": "Reaching the agent",
  mounts: "Mounting",
  "boot-config": "Reading the boot settings",
  boot: "Booting",
  "runtime-dirs": "Preparing the session's folders",
  "x-server": "Starting the screen",
  "guest-configure": "Writing files and settings",
  "guest-renew": "Taking the new identity",
  dbus: "Starting the message bus",
  session: "Starting the session",
  "session-end": "Ending the session that waited",
};

export function stepTitle(name: string): string {
  const known = Object.hasOwn(titles, name) ? titles[name] : undefined;
  if (known) return known;
  const words = name
    .replace(/[-_.]+/g, " ")
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Steps of a usual creation; used only to give the bar a length. */
const usualSteps = 25;
/** One that was claimed, or is a fork, has booted before. */
const bootedSteps = 14;

/** How far a creation is, 0 to 1: finished steps of those seen or usual, a running one counted as half. Never whole before ready. */
export function progressOf(steps: readonly Step[]): number {
  const done = steps.filter(({ state }) => state === "done").length;
  const running = steps.some(({ state }) => state === "running") ? 0.5 : 0;
  const all = Math.max(steps.some(({ name }) => name === "claim" || name === "fork") ? bootedSteps : usualSteps, steps.length + 1);
  return Math.min(0.97, (done + running) / all);
}

/** The step to name while several run: the one that was begun first is the one that the others wait for. */
export function runningStep(steps: readonly Step[]): Step | null {
  return steps.find(({ state }) => state === "running") ?? null;
}

/** What the steps are for, in the order in which a creation comes to them. */
const phases: ReadonlyArray<{ title: string; steps: readonly string[] }> = [
  {
    title: "Prepare a place for it",
    steps: ["store", "queue", "claim", "image-disks", "prepare", "observe", "fork", "keeper", "namespaces", "network", "scratch", "adopt"],
  },
  {
    title: "Start the guest",
    steps: [
      "guest-start",
      "container-create",
      "container-start",
      "memory",
      "vm-start",
      "kernel",
      "guest-disks",
      "vm-boot",
      "restore",
      "renew",
      "guest-renew",
      "agent-link",
      "agent",
      "mounts",
      "boot-config",
      "boot",
      "runtime-dirs",
      "x-server",
    ],
  },
  { title: "Configure it", steps: ["screen-size", "configure", "guest-configure", "session-end", "dbus", "session"] },
  { title: "Open terminal and browser", steps: ["terminal-window", "browser-window", "first-frame"] },
  { title: "Prove that it is as asked", steps: ["files-verified", "environment-verified", "egress-canary"] },
];

export interface Phase {
  title: string;
  state: "waiting" | "running" | "done" | "failed";
}

/** The phases, always all of them. Steps overlap, so a phase is done when none of its steps runs and a later one has begun. */
export function phasesOf(steps: readonly Step[]): Phase[] {
  const begun = phases.map((phase) => steps.filter(({ name }) => phase.steps.includes(name)));
  return phases.map(({ title }, index) => {
    const own = begun[index] ?? [];
    const later = begun.slice(index + 1).some((others) => others.length > 0);
    if (own.some(({ state }) => state === "failed")) return { title, state: "failed" };
    if (own.length === 0) return { title, state: later ? "done" : "waiting" };
    return { title, state: later && own.every(({ state }) => state === "done") ? "done" : "running" };
  });
}

/**
 * The steps with one more word of them taken in; a step is known by its name. Words may come twice and late (an answer of the API beside the
 * events, which are replayed), so a step that has ended does not begin again.
 */
export function withStep(steps: readonly Step[], step: Step): Step[] {
  const known = steps.find(({ name }) => name === step.name);
  if (!known) return [...steps, step];
  if (known.state !== "running" && step.state === "running") return [...steps];
  return steps.map((old) => (old === known ? { ...old, ...step } : old));
}
