import type { LinkSample } from "./link.js";
import { stageNames, StageHistory, total, type Stages } from "./latency.js";

export interface Rates {
  fps: number;
  bitsPerSecond: number;
  rttMs: number | null;
  sample: LinkSample;
}

/** Rates between two samples of one link. */
export function ratesOf(before: LinkSample | null, now: LinkSample): Rates {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  const per = (value: number) => (seconds > 0 && value >= 0 ? value / seconds : 0);
  return {
    fps: per(now.frames - (before?.frames ?? 0)),
    bitsPerSecond: per((now.bytes - (before?.bytes ?? 0)) * 8),
    rttMs: now.rttMs,
    sample: now,
  };
}

/** The overlay: one bar of the stages from the guest's screen to this one, the line of their sum, and a row of numbers. */
export class LatencyView {
  readonly history = new StageHistory();
  readonly #canvas = document.createElement("canvas");
  readonly #legend = document.createElement("ul");
  readonly #numbers = document.createElement("p");
  readonly #still = document.createElement("p");

  constructor(private readonly root: HTMLElement) {
    this.#canvas.setAttribute("role", "img");
    this.#still.textContent = "Waiting for a measured frame; a still picture sends none.";
    this.#canvas.hidden = true;
    root.append(this.#still, this.#canvas, this.#legend, this.#numbers);
  }

  add(stages: Stages): void {
    this.history.add(stages);
    if (!this.root.hidden) this.#draw();
  }

  rates(rates: Rates): void {
    const { sample, fps, bitsPerSecond, rttMs } = rates;
    const parts = [
      `${fps.toFixed(0)} fps`,
      `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond < 1e6 ? 2 : 1)} Mbit/s`,
      ...(rttMs === null ? [] : [`${rttMs.toFixed(rttMs < 10 ? 1 : 0)} ms round trip`]),
      ...(sample.codec ? [sample.codec] : []),
      sample.transport,
    ];
    this.#numbers.textContent = parts.join(" · ");
    if (!this.root.hidden) this.#draw();
  }

  clear(): void {
    this.history.clear();
  }

  #draw(): void {
    const typical = this.history.typical();
    this.#canvas.hidden = typical === null;
    this.#still.hidden = typical !== null;
    if (!typical) {
      this.#legend.replaceChildren();
      return;
    }
    const ratio = window.devicePixelRatio || 1;
    const width = this.#canvas.clientWidth || 240;
    const height = this.#canvas.clientHeight || 60;
    this.#canvas.width = Math.round(width * ratio);
    this.#canvas.height = Math.round(height * ratio);
    const draw = this.#canvas.getContext("2d");
    if (!draw) return;
    draw.scale(ratio, ratio);
    const style = getComputedStyle(this.root);
    const colour = (name: string) => style.getPropertyValue(`--stage-${name}`).trim() || "#888";
    const sum = total(typical);
    let x = 0;
    for (const name of stageNames) {
      const part = (typical[name] / Math.max(sum, 1)) * width;
      draw.fillStyle = colour(name);
      draw.fillRect(x, 0, Math.max(0, part - 1), 14);
      x += part;
    }
    this.#line(draw, width, height, colour("line"));
    this.#canvas.setAttribute(
      "aria-label",
      `Delay ${sum.toFixed(0)} ms: ${stageNames.map((name) => `${name} ${typical[name].toFixed(1)}`).join(", ")}`,
    );
    this.#writeLegend(typical, sum);
  }

  #line(draw: CanvasRenderingContext2D, width: number, height: number, colour: string): void {
    const sums = this.history.samples.map(total);
    if (sums.length < 2) return;
    const most = Math.max(50, ...sums);
    const top = 22;
    const y = (value: number) => height - 1 - (value / most) * (height - top - 2);
    draw.strokeStyle = colour;
    draw.lineWidth = 1.5;
    draw.lineJoin = "round";
    draw.beginPath();
    sums.forEach((value, index) => draw.lineTo((index / (sums.length - 1)) * width, y(value)));
    draw.stroke();
  }

  #writeLegend(typical: Stages, sum: number): void {
    const entries = [...stageNames.map((name) => [name, typical[name]] as const), ["total", sum] as const];
    entries.forEach(([name, value], index) => {
      const item = this.#legend.children[index] ?? this.#legend.appendChild(document.createElement("li"));
      item.className = name;
      item.textContent = `${name} ${value.toFixed(1)} ms`;
    });
  }
}
