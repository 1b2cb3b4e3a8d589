// Package mysql is Azure Database for MySQL: Microsoft.DBforMySQL/servers 2017-12-01 with their firewall rules, databases, configurations, performance tiers and log
// files, and a read view of them as flexibleServers.
//
// A server is one of two things. It runs a MariaDB where the program mariadbd is installed: a data folder of its own below the platform's, a Unix socket that only the platform
// reaches, and a port on loopback where package gate enforces firewall rules, TLS and the number of connections of its SKU. Or, made with createMode Attach, it watches a
// MySQL or MariaDB that runs already (host, port, login, and the password's secret in a vault).
//
// # Invariants
//
// What a server is to be stands in its subscription's shard; the host follows it: at the platform's start, after each change, and after a crash. The child dies with the
// platform, kill -9 included, and InnoDB recovers what was committed. The administrator's password is kept as the server itself keeps it (a double SHA-1) and sealed besides.
// Storage: what the files take (data, temporary, transaction log, server logs) counts. Near the provisioned size, or near the end of the disk, the server is made read-only, and
// writable again once there is room.
//
// Every 10 s each server is measured and the metrics of Azure's table go into minute cells. What can't be known is left out: no data is not zero.
//
// # One exchange
//
//	PUT .../providers/Microsoft.DBforMySQL/servers/db1?api-version=2017-12-01
//	{"location":"westeurope","sku":{"name":"B_Gen5_1"},"properties":{"administratorLogin":"ada","administratorLoginPassword":"...","createMode":"Default"}}
//
//	202 Accepted
//	Azure-AsyncOperation: .../providers/Microsoft.DBforMySQL/locations/westeurope/azureAsyncOperation/{guid}?api-version=2017-12-01
//
// # Left out
//
// Backups and restores, replicas, starting and stopping, private endpoints, virtual network rules, keys, Active Directory administrators. docs/divergences/mysql.md has the list.
package mysql
