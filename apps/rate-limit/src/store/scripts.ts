/**
 * Decides one request after the other, as if each had come alone, all at one moment: a request draws on all of its buckets
 * or on none. KEYS: the buckets of every request, all of one tenant and so in one slot. ARGV: one text of numbers, for each
 * request how many of the keys are its own, then three for each of them: capacity, cost, and what drains in a millisecond, in
 * ticks.
 * Answers one text of numbers with a space between: for each request whether all was taken, then each debt.
 *
 * The arithmetic is that of `libs/limits/gcra.ts`; one suite runs against both. Time is the server's, so that replicas
 * with different clocks share one. Numbers are whole and below 2^53: `%.0f` writes them exactly, `tostring` would not.
 */
export const DRAW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local buckets, said = {}, {}
local function bucketOf(key, drain)
  local bucket = buckets[key]
  if bucket then return bucket end
  bucket = { debt = 0, at = now, drain = drain, drawn = false }
  local debt, at = string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
  if debt then
    debt, at = tonumber(debt), tonumber(at)
    bucket.debt = math.max(0, debt - math.max(0, now - at) * drain)
    bucket.at = math.max(at, now)
  end
  buckets[key] = bucket
  return bucket
end
local key, word = 0, string.gmatch(ARGV[1], '%S+')
for number in word do
  local count, drawn, met, given, taken = tonumber(number), {}, {}, {}, true
  for i = 1, count do
    local capacity, cost, drain = tonumber(word()), tonumber(word()), tonumber(word())
    key = key + 1
    local bucket = bucketOf(KEYS[key], drain)
    drawn[i], met[i], given[i] = bucket, bucket.debt, 0
    if bucket.debt + cost > capacity then
      taken = false
    else
      bucket.debt, given[i] = bucket.debt + cost, cost
    end
  end
  said[#said + 1] = taken and '1' or '0'
  for i = 1, count do
    if taken then
      drawn[i].drawn, met[i] = true, drawn[i].debt
    else
      drawn[i].debt = drawn[i].debt - given[i]
    end
    said[#said + 1] = string.format('%.0f', met[i])
  end
end
for key, bucket in pairs(buckets) do
  if bucket.drawn and bucket.debt > 0 then
    local life = bucket.at - now + math.ceil(bucket.debt / bucket.drain) + 1000
    redis.call('SET', key, string.format('%.0f %.0f', bucket.debt, bucket.at), 'PX', string.format('%.0f', life))
  end
end
return table.concat(said, ' ')
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
