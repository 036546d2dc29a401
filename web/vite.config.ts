import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** The server serves the sign-in page at /signin. */
const signInPage: Plugin = {
  name: "sign-in-page",
  configureServer: ({ middlewares }) =>
    void middlewares.use((request, _, next) => {
      request.url = request.url?.replace(/^\/signin(?=\?|$)/, "/signin.html");
      next();
    }),
};

// Everything the page loads is a file of its own: the server's Content-Security-Policy allows no inline script or style.
export default defineConfig({
  base: "/",
  plugins: [signInPage],
  resolve: {
    alias: [
      { find: "@oriel/desktop/internal", replacement: fileURLToPath(new URL("./packages/oriel-desktop/src/internal.ts", import.meta.url)) },
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
  // `./oriel dev` and `npm run dev` only: ORIEL is the server that answers the API.
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: process.env["ORIEL"] ?? "http://127.0.0.1:4000", ws: true } },
  },
  test: { environment: "node", include: ["test/**/*.test.{ts,js}"] },
});
