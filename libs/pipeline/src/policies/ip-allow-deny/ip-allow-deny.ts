import { z } from 'zod';
import { refuse } from '@sallyport/contracts';
import { definePolicy, pass } from '../../policy';
import { parseAddress, parseRange, PrefixTree, type AddressRange } from './prefix-tree';

const range = z.string().transform((text, context): AddressRange => {
  const parsed = parseRange(text);
  if (parsed) return parsed;
  context.addIssue({ code: 'custom', message: 'an address or a range such as 192.0.2.0/24 or 2001:db8::/32' });
  return z.NEVER;
});

const ranges = z.array(range).max(10_000);

export const ipAllowDeny = definePolicy({
  id: 'ip-allow-deny',
  summary: 'Serves callers of the allowed address ranges only, and never those of the denied ones.',
  config: z
    .strictObject({
      /** Left out: everyone who is not denied. */
      allow: ranges.min(1).optional(),
      /** Wins over `allow`. */
      deny: ranges.min(1).optional(),
    })
    .refine(({ allow, deny }) => allow !== undefined || deny !== undefined, 'list what is allowed, denied, or both'),
  example: { allow: ['192.0.2.0/24', '2001:db8::/32'], deny: ['192.0.2.66'] },
  compile: ({ allow, deny }) => {
    const allowed = allow && new PrefixTree(allow);
    const denied = deny && new PrefixTree(deny);
    const refused = { reason: 'the address of the caller' };
    return {
      admit: ({ request }) => {
        const address = parseAddress(request.clientAddress);
        // A caller on a unix socket has no address: it is on no list, so it passes only where nothing is allowed by name.
        if (!address) return allowed ? refuse('POLICY_DENIED', refused) : pass;
        if (denied?.has(address)) return refuse('POLICY_DENIED', refused);
        return allowed === undefined || allowed.has(address) ? pass : refuse('POLICY_DENIED', refused);
      },
    };
  },
});
