"""What Redis does in one piece for scraping/politeness.py. All moments are its own, in ms.

A bucket (hash) is `full_at`, the moment at which all its tokens are back, and `era`, which changes
when it is made anew: whoever holds a turn of a bucket that was wiped holds nothing.
A breaker (hash) is there while a source fails: `failures` in a row, `failing_since`, and once it
opened `open_until`, how often it `opened`, and `probe_until`, the end of the one probe's right.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local moment = time[1] .. '.' .. time[2]  -- to the microsecond
"""

# KEYS: bucket, URL, breaker, block. ARGV: interval, burst, longest wait, same-URL interval and the
# length of a probe. Returns {'turn', wait, turn, era, probe or 0} or {reason, wait}.
TAKE = (
    _NOW
    + """
local asked = redis.call('PTTL', KEYS[2])
if asked >= 0 then return {'url', asked} end
local open_until, probe_until = unpack(redis.call('HMGET', KEYS[3], 'open_until', 'probe_until'))
local shut = math.max(tonumber(open_until or 0), tonumber(probe_until or 0))
if shut > now then return {'breaker', shut - now} end
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at, era = unpack(redis.call('HMGET', KEYS[1], 'full_at', 'era'))
if not full_at then full_at, era = now + burst * interval, moment end  -- it begins empty
local turn = math.max(now, full_at - (burst - 1) * interval)
if turn - now > tonumber(ARGV[3]) then return {'busy', turn - now} end
redis.call('HSET', KEYS[1], 'full_at', math.max(full_at, now) + interval, 'era', era)
if tonumber(ARGV[4]) > 0 then
  redis.call('SET', KEYS[2], 1, 'PX', turn - now + ARGV[4])
end
local probe = 0
if open_until then
  probe = turn + ARGV[5]
  redis.call('HSET', KEYS[3], 'probe_until', probe)
end
return {'turn', turn - now, turn, era, probe}
"""
)

# KEYS as above. ARGV: turn, era, probe, and how late a turn may be used.
# Returns {'go'}, {'missed'} (take another), or {reason, wait}.
BEGIN = (
    _NOW
    + """
local function verdict()
  local blocked = redis.call('PTTL', KEYS[4])
  if blocked >= 0 then return {'quiet', blocked} end
  local open_until, probe = unpack(redis.call('HMGET', KEYS[3], 'open_until', 'probe_until'))
  if open_until and probe ~= ARGV[3] then
    return {'breaker', math.max(open_until - now, tonumber(probe or 0) - now, 0)}
  end
  if redis.call('HGET', KEYS[1], 'era') ~= ARGV[2] then return {'missed', 0} end
  if now > ARGV[1] + ARGV[4] then return {'missed', 0} end
  return {'go', 0}
end
local said = verdict()
if said[1] ~= 'go' then  -- it was not asked after all
  redis.call('DEL', KEYS[2])
  if redis.call('HGET', KEYS[3], 'probe_until') == ARGV[3] then
    redis.call('HDEL', KEYS[3], 'probe_until')
  end
end
return said
"""
)

# KEYS: bucket, block. ARGV: wait, interval, burst. The bucket is empty when the wait ends.
BLOCK = (
    _NOW
    + """
local full_at, era = unpack(redis.call('HMGET', KEYS[1], 'full_at', 'era'))
local free = now + ARGV[1] + 1  -- in its last ms a key is still there
local full = free + (ARGV[3] - 1) * ARGV[2]
redis.call('HSET', KEYS[1], 'full_at', math.max(full, tonumber(full_at or 0)), 'era', era or moment)
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[2], 1, 'PX', ARGV[1])
end
"""
)

# KEYS: breaker. ARGV: 1 or 0, failures that open it, first and longest time open, jitter in [0, 1),
# and how long failures are kept. Returns how long it opened for, -1 where it closed, else 0.
REPORT = (
    _NOW
    + """
local open_until, probe_until = unpack(redis.call('HMGET', KEYS[1], 'open_until', 'probe_until'))
-- Once it is open only the probe decides; this one was asked before.
if open_until and now >= tonumber(probe_until or 0) then return 0 end
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[1])
  return open_until and -1 or 0
end
redis.call('HSETNX', KEYS[1], 'failing_since', now)
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local wait = 0
if open_until or failures >= tonumber(ARGV[2]) then
  local opened = redis.call('HINCRBY', KEYS[1], 'opened', 1)
  wait = math.min(ARGV[3] * 2 ^ (opened - 1), tonumber(ARGV[4]))
  wait = math.ceil(wait * (1 + ARGV[5]))
  redis.call('HSET', KEYS[1], 'open_until', now + wait)
  redis.call('HDEL', KEYS[1], 'probe_until')
end
redis.call('PEXPIRE', KEYS[1], wait + ARGV[6])
return wait
"""
)

# KEYS: breaker. For how long its source has failed.
FAILING = (
    _NOW
    + """
return now - (redis.call('HGET', KEYS[1], 'failing_since') or now)
"""
)
