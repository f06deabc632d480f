// Parse the files whose paths (below files/) come NUL-separated on stdin; nothing is executed.
//
// stdout: the number of files parsed, then one line PATH:LINE: MESSAGE for each that does not parse.
// Run as `node --experimental-vm-modules --no-warnings lint.js`. A file may be a script, a CommonJS module or an ES
// module: it parses if it is any of them. JSX and Flow are not JavaScript and are left alone.
'use strict';
const fs = require('fs');
const vm = require('vm');

const LARGEST = 4 * 1024 * 1024;

function attempt(make) {
  try {
    make();
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function lineOf(error) {
  const found = /^[^\n]*?:(\d+)\n/.exec(error.stack || '');
  return found ? Number(found[1]) : 1;
}

// An error, null where it parses, false where that cannot be said.
function faultOf(path, source) {
  if (/@flow\b|\{\{|\{%/.test(source)) return false;
  const text = source.replace(/^#!.*/, '');
  const filename = 'source';
  const script = path.endsWith('.mjs') ? new SyntaxError() : attempt(() => vm.compileFunction(text, ['require', 'module', 'exports', '__filename', '__dirname'], { filename }));
  if (script === null) return null;
  const module = path.endsWith('.cjs') || !vm.SourceTextModule ? script : attempt(() => new vm.SourceTextModule(text, { identifier: filename }));
  if (module === null) return null;
  const fault = /\b(import|export)\b/.test(text) ? module : script;
  if (!(fault instanceof SyntaxError) || fault.message === "Unexpected token '<'") return false;
  return fault;
}

let parsed = 0;
const faults = [];
for (const path of fs.readFileSync(0, 'latin1').split('\0')) {
  if (path === '') continue;
  const data = fs.readFileSync(Buffer.from('files/' + path, 'latin1'));
  if (data.length > LARGEST) continue;
  const fault = faultOf(path, data.toString('utf8'));
  if (fault === false) continue;
  parsed += 1;
  if (fault) {
    const shown = Buffer.from(path, 'latin1').toString('utf8').replace(/[\u0000-\u001f\u007f]/g, '?');
    faults.push(`${shown}:${lineOf(fault)}: ${fault.message}`);
  }
}
process.stdout.write([String(parsed), ...faults].join('\n') + '\n');
