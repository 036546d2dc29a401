import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Everything the page loads is a file of its own: the server's Content-Security-Policy allows no inline script or style.
export default defineConfig({
  base: "/",
  resolve: {
    alias: [
      { find: "@oriel/desktop/parts", replacement: fileURLToPath(new URL("./packages/oriel-desktop/src/parts.ts", import.meta.url)) },
      { find: "@oriel/desktop", replacement: fileURLToPath(new URL("./packages/oriel-desktop/src/index.ts", import.meta.url)) },
    ],
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // `npm run dev` only: set ORIEL to the server that should answer the API.
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: process.env["ORIEL"] ?? "http://127.0.0.1:4000", ws: true } },
  },
  test: { environment: "node", include: ["test/**/*.test.ts"] },
});
