import type { Step } from "../api/types.js";

/** How a step is called on the page; a step that is not here is shown by its own name. */
const titles: Record<string, string> = {
  image: "Opening the image",
  keeper: "Starting the keeper",
  namespaces: "Making namespaces",
  network: "Making the network",
  egress: "Opening the way out",
  rootfs: "Preparing the disk",
  disk: "Preparing the disk",
  driver: "Starting the guest",
  guest: "Starting the guest",
  boot: "Booting",
  agent: "Waiting for the agent",
  configure: "Configuring",
  files: "Writing files",
  session: "Starting the desktop",
  display: "Starting the screen",
  windows: "Waiting for terminal and browser",
  terminal: "Waiting for the terminal",
  browser: "Waiting for the browser",
  frame: "Waiting for the first frame",
  canary: "Proving the way out",
  attest: "Proving that it is ready",
  ready: "Ready",
};

export function stepTitle(name: string): string {
  const known = titles[name];
  if (known) return known;
  const words = name.replace(/[-_.]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Steps of a usual creation; used only to give the bar a length. */
const usualSteps = 9;

/** How far a creation is, 0 to 1: finished steps of those seen or usual, a running one counted as half. Never whole before ready. */
export function progressOf(steps: readonly Step[]): number {
  const done = steps.filter(({ state }) => state === "done").length;
  const running = steps.some(({ state }) => state === "running") ? 0.5 : 0;
  const all = Math.max(usualSteps, steps.length + 1);
  return Math.min(0.97, (done + running) / all);
}

/** The steps with one event taken in; a step is known by its name. */
export function withStep(steps: readonly Step[], step: Step): Step[] {
  const index = steps.findIndex(({ name }) => name === step.name);
  if (index < 0) return [...steps, step];
  return steps.map((old, at) => (at === index ? { ...old, ...step } : old));
}
