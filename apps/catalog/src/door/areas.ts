/** Areas of the admin API that other services answer, under `/api/<area>/v1`. */
export const areaNames = ['auth', 'audit', 'ai', 'limits', 'waf', 'ingress'] as const;
export type AreaName = (typeof areaNames)[number];

/** Where everything of an area lies. */
export function areaPrefix(area: AreaName): string {
  return `/api/${area}/v1`;
}
