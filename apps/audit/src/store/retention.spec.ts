import { partitionsAt } from './retention';

it('keeps the last month, this one and three more for every class, over the end of a year', () => {
  const partitions = partitionsAt(Date.parse('2026-11-30T23:59:59.999Z'));
  expect(partitions.length).toBe(15);
  expect(partitions.filter(({ parent }) => parent === 'audit_event_traffic')).toEqual([
    { name: 'audit_event_traffic_2026_10', parent: 'audit_event_traffic', from: '2026-10-01', to: '2026-11-01' },
    { name: 'audit_event_traffic_2026_11', parent: 'audit_event_traffic', from: '2026-11-01', to: '2026-12-01' },
    { name: 'audit_event_traffic_2026_12', parent: 'audit_event_traffic', from: '2026-12-01', to: '2027-01-01' },
    { name: 'audit_event_traffic_2027_01', parent: 'audit_event_traffic', from: '2027-01-01', to: '2027-02-01' },
    { name: 'audit_event_traffic_2027_02', parent: 'audit_event_traffic', from: '2027-02-01', to: '2027-03-01' },
  ]);
});
