import { defineConfig } from "vite";

import { licences } from "./licences.ts";

export default defineConfig({
  plugins: [licences(import.meta.dirname, "third-party-licences.txt")],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    // The page's content security policy allows no data: URLs.
    assetsInlineLimit: 0,
    // livekit-client alone is 550 kB, 140 kB compressed; nothing is gained by splitting it.
    chunkSizeWarningLimit: 700,
    modulePreload: { polyfill: false },
  },
});
