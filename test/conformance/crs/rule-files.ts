import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { RuleFile, RuleSource } from '@sallyport/waf';

const read = (path: string): RuleFile => ({ name: path, text: readFileSync(path, 'latin1') });

/** @returns the folder that holds the rule files: the one given, or `rules` in it */
export function ruleFolder(folder: string): string {
  const holdsRules = (path: string) =>
    existsSync(path) && readdirSync(path).some((name) => name.endsWith('.conf') && /\d/.test(name));
  return !holdsRules(folder) && holdsRules(join(folder, 'rules')) ? join(folder, 'rules') : folder;
}

/** @returns the setup that lies with the rules, as releases and packages have it */
export function setupBeside(folder: string): string | undefined {
  const places = [folder, dirname(folder)].flatMap((place) =>
    ['crs-setup.conf', 'crs-setup.conf.example'].map((name) => join(place, name)),
  );
  return places.find((path) => existsSync(path));
}

/** The rules of a folder, in the order of their names, with their setup first. */
export function ruleFiles(folder: string, setup: string | undefined): RuleSource {
  const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));
  const files = names.sort().map((name) => read(join(folder, name)));
  return {
    files: [...(setup === undefined ? [] : [read(setup)]), ...files],
    read: (name, from) => {
      const places = [resolve(dirname(from), name), resolve(folder, name), resolve(folder, basename(name))];
      const path = places.find((place) => existsSync(place));
      return path === undefined ? undefined : readFileSync(path, 'latin1');
    },
  };
}
