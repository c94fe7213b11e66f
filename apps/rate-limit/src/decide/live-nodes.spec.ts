import { LiveNodes } from './live-nodes';

describe('LiveNodes', () => {
  it('counts processes, not streams, and never less than one', () => {
    const nodes = new LiveNodes();
    expect(nodes.count).toBe(1);
    const seats = ['ingress-1', 'ingress-1', 'ingress-2'].map((node) => {
      const seat = nodes.join(() => {});
      seat.name(node);
      return seat;
    });
    expect(nodes.count).toBe(2);
    seats[0]!.leave();
    expect(nodes.count).toBe(2);
    seats[1]!.leave();
    seats[1]!.leave();
    expect(nodes.count).toBe(1);
  });

  it('does not count a stream that has not said whose it is', () => {
    const nodes = new LiveNodes();
    nodes.join(() => {}).name('ingress-1');
    nodes.join(() => {});
    expect(nodes.count).toBe(1);
  });

  it('tells everybody else of a change, at once and only then', () => {
    const nodes = new LiveNodes();
    const heard: number[] = [];
    nodes.join((live) => heard.push(live)).name('ingress-1');
    const second = nodes.join(() => {});
    second.name('ingress-2');
    second.name('ingress-2');
    const again = nodes.join(() => {});
    again.name('ingress-2');
    again.leave();
    second.leave();
    expect(heard).toEqual([2, 1]);
  });
});
