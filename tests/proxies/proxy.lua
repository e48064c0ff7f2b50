-- memcached's proxy in front of three nodes: NODE0 to NODE2 stand for their addresses.
settings{ backend_connect_timeout = 5, backend_retry_waittime = 1, backend_read_timeout = 10, backend_failure_limit = 3 }
pools{ main = { backends = { "NODE0", "NODE1", "NODE2" } } }
routes{ default = route_direct{ child = "main" } }
