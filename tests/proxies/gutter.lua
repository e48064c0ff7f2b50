-- memcached's proxy in front of two nodes, with a third that takes a lost node's keys for ten seconds each: a loss
-- that comes later finds no old copies. NODE0 to NODE2 stand for their addresses.
settings{ backend_connect_timeout = 5, backend_retry_waittime = 1, backend_read_timeout = 10, backend_failure_limit = 3 }
pools{
    main = { backends = { "NODE0", "NODE1" } },
    gutter = { backends = { "NODE2" } },
}
local function read() return route_failover{ children = { "main", "gutter" } } end
local function store() return route_failover{ children = { "main", route_ttl{ ttl = 10, child = "gutter" } } } end
routes{
    cmap = {
        get = read(), gets = read(), mg = read(), delete = read(), md = read(),
        set = store(), add = store(), cas = store(), ms = store(),
    },
    -- What would lengthen or change a copy's life is for the node itself: touch, gat, incr and the like.
    default = route_direct{ child = "main" },
}
