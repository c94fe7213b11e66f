import { makeClaim, type Claim, type ClaimPorts } from './claim';
import { homesIn, partsOf } from './home-folders';
import { isHeld, isKnownDead, ownerPath, ownersIn } from './owner-files';

/**
 * Claims the first folder of `<app>-1`, `<app>-2`, … that no living process holds. A folder left by a process that is gone is
 * taken over with all that it still holds, so that its records go out under their own chain.
 */
export async function claimProducer(root: string, app: string, ports: ClaimPorts): Promise<Claim> {
  await ports.files.makeFolder(root);
  for (let number = 1; ; number++) {
    const producer = `${app}-${number}`;
    const claim = await claimFolder(`${root}/${producer}`, producer, ports);
    if (claim) return claim;
  }
}

/** Folders of an app that hold a chain and that no living process holds, each claimed when it is come to. */
export async function* claimOrphans(root: string, app: string, ports: ClaimPorts): AsyncGenerator<Claim> {
  for (const producer of (await ports.files.list(root)).filter((name) => isProducerOf(app, name)).sort()) {
    const directory = `${root}/${producer}`;
    if (!(await holdsChain(directory, ports))) continue;
    const claim = await claimFolder(directory, producer, ports);
    if (claim) yield claim;
  }
}

async function holdsChain(directory: string, { files }: ClaimPorts): Promise<boolean> {
  for (const part of await partsOf(files, directory)) if ((await files.list(part)).includes('chain')) return true;
  return false;
}

function isProducerOf(app: string, name: string): boolean {
  return name.startsWith(`${app}-`) && /^[1-9]\d*$/.test(name.slice(app.length + 1));
}

async function claimFolder(directory: string, producer: string, ports: ClaimPorts): Promise<Claim | undefined> {
  const { files } = ports;
  await files.makeFolder(directory);
  const owners = await ownersIn(files, directory);
  const last = Math.max(0, ...owners);
  if (last > 0 && (await isHeld(ownerPath(directory, last), ports))) return undefined;
  let isDoubtful = false;
  for (const number of owners) isDoubtful ||= !(await isKnownDead(ownerPath(directory, number), ports));
  // Homes outlast the owners that made them.
  const highest = Math.max(last, ...(await homesIn(files, directory)));
  const claim = await makeClaim(directory, producer, highest, isDoubtful, ports);
  if (!claim || isDoubtful) return claim;
  try {
    await claim.settle();
  } catch (error) {
    await claim.release();
    throw error;
  }
  return claim;
}
