-- wrk's script: asks what the file named by REQUESTS says (path, then headers, separated by tabs), in turn.
local requests = {}
local at = 0

function init(args)
  for line in io.lines(os.getenv("REQUESTS")) do
    local path, headers = nil, {}
    for field in line:gmatch("[^\t]+") do
      if path == nil then
        path = field
      else
        local name, value = field:match("^([^:]+): (.*)$")
        headers[name] = value
      end
    end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, _)
  local e = summary.errors
  local ms = function(percent) return latency:percentile(percent) / 1000 end
  io.write(string.format("FIGURES requests=%d rps=%.0f p50=%.3f p99=%.3f p999=%.3f max=%.2f failed=%d\n",
    summary.requests, summary.requests / (summary.duration / 1e6), ms(50), ms(99), ms(99.9), latency.max / 1000,
    e.status + e.connect + e.read + e.write + e.timeout))
end
