/** A Vite plugin that puts the licences of everything in the bundle into one text file. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Plugin } from "vite";

interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly peer?: boolean;
}

/**
 * Vite's own `build.license` would name livekit-client alone, because that ships as one file with
 * its dependencies inside; the lock file knows them.
 *
 * @param root - folder of package-lock.json and node_modules
 * @param fileName - where in the build the text goes
 */
export function licences(root: string, fileName: string): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      this.emitFile({ type: "asset", fileName, source: licenceText(root) });
    },
  };
}

function licenceText(root: string): string {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const parts = ["This page contains the following software."];
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!path || entry.dev || entry.optional || entry.peer) continue;
    const folder = join(root, path);
    const texts = readdirSync(folder)
      .filter((name) => /^(licen[cs]e|notice|copying)/i.test(name))
      .map((name) => readFileSync(join(folder, name), "utf8").trim());
    const name = path.replace(/^.*node_modules\//, "");
    parts.push([`${name} ${entry.version}: ${entry.license ?? "see below"}`, ...texts].join("\n\n"));
  }
  return `${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}
