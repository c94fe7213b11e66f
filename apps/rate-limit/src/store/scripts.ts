/**
 * Draws on all buckets or on none, in one step. KEYS: the buckets, all of one tenant and so in one slot. ARGV, three for
 * each: capacity, cost, and what drains in a millisecond, in ticks. Answers whether all was taken, then each debt.
 *
 * The arithmetic is that of `libs/limits/gcra.ts`; one suite runs against both. Time is the server's, so that replicas
 * with different clocks share one. Numbers are whole and below 2^53: `%.0f` writes them exactly, `tostring` would not.
 */
export const DRAW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local buckets, met, taken = {}, {}, 1
for i, key in ipairs(KEYS) do
  local capacity, cost, drain = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local bucket = buckets[key]
  if not bucket then
    bucket = { debt = 0, at = now, drain = drain }
    local debt, at = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
    if debt then
      debt, at = tonumber(debt), tonumber(at)
      bucket.debt = math.max(0, debt - math.max(0, now - at) * drain)
      bucket.at = math.max(at, now)
    end
    buckets[key] = bucket
  end
  met[i] = string.format('%.0f', bucket.debt)
  if bucket.debt + cost > capacity then taken = 0 else bucket.debt = bucket.debt + cost end
end
if taken == 0 then return { '0', unpack(met) } end
for key, bucket in pairs(buckets) do
  if bucket.debt > 0 then
    local life = bucket.at - now + math.ceil(bucket.debt / bucket.drain) + 1000
    redis.call('SET', key, string.format('%.0f %.0f', bucket.debt, bucket.at), 'PX', string.format('%.0f', life))
  end
end
local after = {}
for i, key in ipairs(KEYS) do after[i] = string.format('%.0f', buckets[key].debt) end
return { '1', unpack(after) }
`;

/**
 * Says that a replica lives, and counts those that do. KEYS: the set. ARGV: the replica, and for how many milliseconds
 * it counts without saying so again.
 */
export const ATTEND = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`;
