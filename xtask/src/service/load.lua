-- What is asked of the example service: mostly reads, of popular cities more often, and a few writes.
-- wrk gives `init` the cookies of somebody who has signed in, and the file of the cities.

local threads = {}

function setup(thread)
   thread:set("seed", #threads + 1)
   table.insert(threads, thread)
end

function init(arguments)
   math.randomseed(seed)
   refused, failed = 0, 0
   cities, countries = {}, {}
   for line in io.lines(arguments[2]) do
      local id, country = line:match("^(%d+),.-,(%u%u),")
      if id and #cities < 1000 then
         table.insert(cities, id)
         table.insert(countries, country)
      end
   end
   signed_in = { ["Cookie"] = arguments[1], ["Content-Type"] = "application/json" }
end

-- The square makes the first ones popular.
local function one_of(list)
   return list[1 + math.floor(#list * math.random() ^ 2 * 0.999)]
end

function request()
   local dice = math.random(100)
   if dice <= 40 then
      return wrk.format("GET", "/cities/" .. one_of(cities))
   elseif dice <= 65 then
      return wrk.format("GET", "/cities?country=" .. one_of(countries) .. "&page=" .. math.random(0, 2))
   elseif dice <= 80 then
      return wrk.format("GET", "/countries/" .. one_of(countries))
   elseif dice <= 85 then
      return wrk.format("GET", "/report")
   elseif dice <= 97 then
      return wrk.format("GET", "/favourites", signed_in)
   elseif dice <= 98 then
      return wrk.format("PUT", "/favourites/" .. one_of(cities), signed_in)
   else
      return wrk.format("POST", "/cities/" .. one_of(cities) .. "/people", signed_in, '{"people":1}')
   end
end

function response(status)
   if status >= 500 then
      failed = failed + 1
   elseif status >= 300 then
      refused = refused + 1
   end
end

function done(summary, latency)
   local refused, failed = 0, 0
   for _, thread in ipairs(threads) do
      refused = refused + thread:get("refused")
      failed = failed + thread:get("failed")
   end
   local errors = summary.errors
   io.write(string.format(
      "measured requests=%d duration=%d p50=%d p99=%d max=%d refused=%d failed=%d connect=%d read=%d write=%d timeout=%d\n",
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, refused, failed,
      errors.connect, errors.read, errors.write, errors.timeout))
end
