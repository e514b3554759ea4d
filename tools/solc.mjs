#!/usr/bin/env node
// The solc that forge calls: the pinned solc-js behind the two flags that forge uses.
// (`solcjs --standard-json` prints a line of its own and refuses `--allow-paths`.)
import { readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const folder = process.env.ROLLCALL_TOOLS_DIR;
const require = createRequire(folder ? resolve(folder, 'package.json') : import.meta.url);
const solc = require('solc');

const output = process.argv.includes('--version')
  ? `solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`
  : solc.compile(readFileSync(0, 'utf8'));

// A pipe takes part of a large answer at a time; process.stdout might be cut off at the exit.
const bytes = Buffer.from(output);
for (let sent = 0; sent < bytes.length; ) {
  try {
    sent += writeSync(1, bytes, sent);
  } catch (error) {
    if (error.code !== 'EAGAIN') throw error;
  }
}
