import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '..');

/** Runs a piece of a program over the build tool in a process of its own, since it is no CommonJS. @returns what it says. */
function run(program: string): unknown {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
  });
  if (stderr) throw new Error(stderr);
  return JSON.parse(stdout);
}

describe('a module that passes names on', () => {
  it('hands over the getter of the module they come from, which follows what is assigned there later', () => {
    const outcome = run(`
      import { transformSync } from '@swc/core';
      import { passOnGetters } from './tools/build.mjs';
      const load = (text, modules) => {
        const { code } = transformSync(text, { module: { type: 'commonjs' }, jsc: { parser: { syntax: 'typescript' } } });
        const exports = {};
        new Function('exports', 'require', passOnGetters(code))(exports, (name) => modules[name]);
        return exports;
      };
      const source = load('export let count = 1; export const raise = () => ++count;', {});
      const plain = { answer: 42 };
      const door = load('export * from "./source"; export * from "./plain";', { './source': source, './plain': plain });
      const outer = load('export * from "./door";', { './door': door });
      outer.raise();
      plain.answer = 43;
      const getter = (of) => Object.getOwnPropertyDescriptor(of, 'count').get;
      console.log(JSON.stringify({
        same: getter(outer) === getter(source),
        names: Object.keys(outer).sort(),
        count: outer.count,
        answer: outer.answer,
      }));
    `);
    expect(outcome).toEqual({ same: true, names: ['answer', 'count', 'raise'], count: 2, answer: 43 });
  });
});
