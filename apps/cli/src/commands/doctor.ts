import { AdminClient, dataDirectories, findAccess, type Access } from '../admin-client';
import type { Command } from '../command-line';
import { exitCodes, Failure } from '../failure';
import { plain, type Output } from '../output';
import type { World } from '../world';
import { gatewayOf } from './chat';
import {
  adminDoor,
  areas,
  audit,
  clockOffset,
  configuration,
  gateway,
  inspection,
  models,
} from './doctor/cluster-checks';
import { failed, type Finding } from './doctor/finding';
import { environmentNames, nodeVersion, plainText, secrets } from './doctor/environment-checks';
import { freeDisk, spool } from './doctor/disk-checks';

export const doctor: Command = {
  name: 'doctor',
  summary: 'Check that everything works, and say how to mend what does not.',
  operands: [],
  options: [
    { name: 'gateway', value: 'URL', summary: 'Data door (SALLYPORT_PUBLIC_URL, else http://127.0.0.1:8000).' },
  ],
  examples: ['doctor', 'doctor --json --server https://admin.example.com'],
  async run(invocation, world, output) {
    const door = gatewayOf(invocation, world);
    const way = wayIn(invocation.text('server'), world);
    const findings: Finding[] = [];
    const report = (...found: readonly Finding[]) => {
      findings.push(...found);
      if (!output.json) for (const finding of found) show(finding, output);
    };
    report(await gateway(door, world.interrupted));
    if (way instanceof Failure) report(adminShut(way));
    else report(...(await throughAdminDoor(way, world)));
    report(nodeVersion(process.version), secrets(world.environment), environmentNames(world.environment));
    // The disks of another host cannot be seen from here.
    if (isThisHost(way)) report(...(await disks(world)));
    return conclude(findings, output);
  },
};

function wayIn(server: string | undefined, world: World): Access | Failure {
  try {
    return findAccess(server, world);
  } catch (error) {
    if (error instanceof Failure && error.facts.exitCode === exitCodes.notAllowed) return error;
    throw error;
  }
}

function adminShut({ message, facts }: Failure): Finding {
  return failed('admin', message, facts.next ?? 'set SALLYPORT_ADMIN_TOKEN');
}

/** What only the admin API can tell; without it, one finding says so. */
async function throughAdminDoor(access: Access, world: World): Promise<Finding[]> {
  const admin = new AdminClient(access, world.interrupted);
  const door = await adminDoor(admin);
  if (door.state === 'failed') return [door];
  const rest = await Promise.all([
    areas(admin),
    configuration(admin),
    audit(admin),
    inspection(admin),
    models(admin),
    clockOffset(admin, world.clock),
  ]);
  return [door, ...plainText(access), ...rest.flat()];
}

async function disks(world: World): Promise<Finding[]> {
  const [directory = ''] = dataDirectories(world);
  return [await spool(dataDirectories(world), world), await freeDisk(directory)];
}

function isThisHost(way: Access | Failure): boolean {
  if (way instanceof Failure || 'socket' in way.door) return true;
  return ['127.0.0.1', 'localhost', '[::1]'].includes(way.door.url.hostname);
}

const marks = { ok: ['green', '✔'], attention: ['yellow', '!'], failed: ['red', '✘'] } as const;

function show({ state, summary, fix }: Finding, output: Output): void {
  const [colour, mark] = marks[state];
  output.line(`${output.paint(colour, mark)} ${plain(summary)}`);
  if (fix !== null) output.line(`    → ${plain(fix)}`);
}

function conclude(findings: readonly Finding[], output: Output) {
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length;
  const [good, noted, bad] = [count('ok'), count('attention'), count('failed')];
  if (output.json) output.document({ ok: bad === 0, checks: findings });
  else output.line(`${good} ok, ${noted} to look at, ${bad} failed`);
  return bad === 0 ? exitCodes.done : exitCodes.failed;
}
