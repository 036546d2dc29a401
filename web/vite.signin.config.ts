import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

// The sign-in page is built apart: it is all that a server serves to someone who is not signed in (assets/signin*), so it must not
// share a file with the rest.
export default defineConfig({
  base: "/",
  publicDir: false,
  resolve: {
    alias: [
      { find: "@oriel/desktop/internal", replacement: fileURLToPath(new URL("./packages/oriel-desktop/src/internal.ts", import.meta.url)) },
    ],
  },
  build: {
    outDir: "dist",
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: "signin.html",
      output: {
        entryFileNames: "assets/signin-[hash].js",
        chunkFileNames: "assets/signin-[hash].js",
        assetFileNames: "assets/signin-[hash][extname]",
      },
    },
  },
});
