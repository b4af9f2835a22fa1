-- What runs on a cluster: programs, versions, users and jobs per month, from the files that procline exec writes on all nodes. For
-- DuckDB 1.1 or later: duckdb <cluster-report.sql. Set the two variables first.

-- The files of all nodes, compressed or not.
SET VARIABLE files = '/srv/logs/*/exec/*.jsonl';
-- The part of an executable's path that names a version: /apps/R/4.3.1 of /apps/R/4.3.1/bin/R. Other programs are not in the report.
SET VARIABLE version = '^/apps/[^/]+/[^/]+';

-- A line that a kill has torn is not JSON. ignore_errors makes it a row without values, which the view skips.
CREATE OR REPLACE TEMP VIEW starts AS
SELECT
    *,
    strftime("timestamp", '%Y-%m') AS month,
    -- If a program ends at once, its executable may be unknown, but not its command.
    regexp_replace(coalesce(exe, split_part(command, ' ', 1)), ' \(deleted\)$', '') AS path,
    -- One program of a process. With --start-snapshot, it may have two records.
    concat_ws(' ', "Computer", coalesce(entity_id, concat_ws(' ', pid, "timestamp")), path) AS run
FROM read_ndjson(
    getvariable('files'),
    ignore_errors = true,
    columns = {
        "timestamp": 'TIMESTAMP',
        "Computer": 'VARCHAR',
        event: 'VARCHAR',
        pid: 'BIGINT',
        "user": 'VARCHAR',
        exe: 'VARCHAR',
        command: 'VARCHAR',
        env: 'JSON',
        job: 'VARCHAR',
        entity_id: 'VARCHAR',
        lost: 'BIGINT',
        incomplete: 'BOOLEAN'
    }
)
WHERE event IN ('exec', 'running', 'lost') AND "timestamp" IS NOT NULL;

-- Programs by month: for each version, how many users and jobs ran the program, how often, and on how many nodes.
SELECT
    month,
    parse_filename(path) AS program,
    regexp_extract(path, getvariable('version')) AS "version",
    count(DISTINCT "user") AS users,
    count(DISTINCT job) AS jobs,
    count(DISTINCT run) AS runs,
    count(DISTINCT "Computer") AS nodes
FROM starts
WHERE regexp_matches(path, getvariable('version'))
GROUP BY month, program, "version"
ORDER BY month, users DESC, jobs DESC, runs DESC, program, "version";

-- Modules by month: what was loaded when programs started, if procline exec runs with --env LOADEDMODULES.
WITH loaded AS (
    SELECT *, unnest(string_split(env ->> 'LOADEDMODULES', ':')) AS "module" FROM starts
)
SELECT month, "module", count(DISTINCT "user") AS users, count(DISTINCT job) AS jobs, count(DISTINCT run) AS runs
FROM loaded
WHERE "module" <> ''
GROUP BY month, "module"
ORDER BY month, users DESC, jobs DESC, "module";

-- Users by month: who ran what in how many jobs. Programs outside any job ran on login nodes.
SELECT
    month,
    "user",
    regexp_extract(path, getvariable('version')) AS "version",
    count(DISTINCT job) AS jobs,
    count(DISTINCT run) AS runs,
    count(DISTINCT run) FILTER (WHERE job IS NULL) AS outside_jobs
FROM starts
WHERE regexp_matches(path, getvariable('version'))
GROUP BY month, "user", "version"
ORDER BY month, "user", jobs DESC, runs DESC, "version";

-- What is missing: programs whose records are incomplete, and events that were lost. The other counts lack these.
SELECT
    month,
    "Computer",
    count(*) FILTER (WHERE event <> 'lost') AS starts,
    count(*) FILTER (WHERE incomplete) AS incomplete,
    count(*) FILTER (WHERE path IS NULL AND event <> 'lost') AS without_program,
    coalesce(sum(lost), 0)::BIGINT AS lost
FROM starts
GROUP BY month, "Computer"
ORDER BY month, "Computer";
