import type { CursorMessage } from "./messages.js";

/** Browsers show no cursor image larger than this. */
const largest = 128;

/**
 * The guest's cursor, drawn by the browser itself so that it moves without the way to the guest and back. A copy of it is shown
 * over the picture while someone else moves the guest's pointer.
 */
export class CursorView {
  #image: ImageBitmap | null = null;
  #message: CursorMessage | null = null;
  #url: string | null = null;
  #generation = 0;
  #scale = 1;

  constructor(
    private readonly surface: HTMLElement,
    private readonly ghost: HTMLCanvasElement,
  ) {}

  async show(message: CursorMessage): Promise<void> {
    const generation = ++this.#generation;
    if (message.width <= 0 || message.height <= 0 || message.png === "") {
      this.#message = null;
      this.surface.style.cursor = "none";
      return;
    }
    try {
      const bytes = Uint8Array.from(atob(message.png), (c) => c.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      if (generation !== this.#generation) {
        image.close();
        return;
      }
      this.#image?.close();
      this.#image = image;
      this.#message = message;
      this.#drawGhost();
      await this.#apply(generation);
    } catch {
      // Not a picture: the browser's own arrow is better than none.
      if (generation === this.#generation) this.surface.style.cursor = "default";
    }
  }

  /** The picture is shown at another scale (CSS pixels for a guest pixel). */
  async rescale(scale: number): Promise<void> {
    if (!(scale > 0) || Math.abs(scale - this.#scale) < 0.01) return;
    this.#scale = scale;
    if (this.#message) await this.#apply(++this.#generation);
  }

  /** Shows the copy at a place relative to the viewer, in CSS pixels. */
  ghostAt(x: number, y: number): void {
    const { hotX = 0, hotY = 0 } = this.#message ?? {};
    this.ghost.hidden = this.#message === null;
    this.ghost.style.transform = `translate(${x - hotX * this.#scale}px, ${y - hotY * this.#scale}px)`;
    this.ghost.style.width = `${(this.#message?.width ?? 0) * this.#scale}px`;
  }

  hideGhost(): void {
    this.ghost.hidden = true;
  }

  close(): void {
    this.#generation++;
    this.#image?.close();
    this.#image = null;
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = null;
    this.surface.style.cursor = "";
    this.hideGhost();
  }

  async #apply(generation: number): Promise<void> {
    const message = this.#message;
    const image = this.#image;
    if (!message || !image) return;
    const ratio = window.devicePixelRatio || 1;
    const scale = Math.min(this.#scale, largest / Math.max(message.width, message.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(message.width * scale * ratio));
    canvas.height = Math.max(1, Math.round(message.height * scale * ratio));
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
    if (!blob || generation !== this.#generation) return;
    const old = this.#url;
    this.#url = URL.createObjectURL(blob);
    const hot = `${Math.round(message.hotX * scale)} ${Math.round(message.hotY * scale)}`;
    this.surface.style.cursor = `image-set(url("${this.#url}") ${ratio}x) ${hot}, default`;
    if (old) URL.revokeObjectURL(old);
  }

  #drawGhost(): void {
    const image = this.#image;
    if (!image) return;
    this.ghost.width = image.width;
    this.ghost.height = image.height;
    this.ghost.getContext("2d")?.drawImage(image, 0, 0);
  }
}
