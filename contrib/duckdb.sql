-- Queries over the files that procline --output writes, for DuckDB 1.1 or later: duckdb <duckdb.sql
-- Set the two variables first. Each query stands by itself, so remove the ones that you do not need.

-- The files. For several machines, collect their files, and write for example '/srv/logs/*/*.jsonl'.
SET VARIABLE files = '/var/log/procline/*.jsonl';
-- The program that "Is it running?" looks for.
SET VARIABLE program = 'sshd';

-- A line that a kill has torn is not JSON. ignore_errors makes it a row without values, which the view skips.
CREATE OR REPLACE TEMP VIEW processes AS
SELECT
    *,
    -- The units of ama/ request name. Files without it have the first word of the command.
    coalesce(name, split_part(command, ' ', 1)) AS program,
    -- One process of a machine, also if another one gets its pid later.
    coalesce(entity_id, concat_ws(' ', pid, "start")) AS process,
    min("timestamp") OVER (PARTITION BY "Computer") AS oldest,
    max("timestamp") OVER (PARTITION BY "Computer") AS newest
FROM read_ndjson(
    getvariable('files'),
    ignore_errors = true,
    columns = {
        "user": 'VARCHAR',
        pid: 'BIGINT',
        cpu: 'DOUBLE',
        mem: 'DOUBLE',
        vsz: 'BIGINT',
        rss: 'BIGINT',
        tty: 'VARCHAR',
        stat: 'VARCHAR',
        "start": 'TIMESTAMP',
        "time": 'DOUBLE',
        command: 'VARCHAR',
        "Computer": 'VARCHAR',
        "timestamp": 'TIMESTAMP',
        name: 'VARCHAR',
        entity_id: 'VARCHAR'
    }
)
WHERE pid IS NOT NULL AND "Computer" IS NOT NULL AND "timestamp" IS NOT NULL;

-- Top CPU by hour: the ten programs that used the most CPU time, in seconds. cpu is an average over a process's life, so this
-- adds up how much time grew from one snapshot to the next. Times are in UTC.
WITH used AS (
    SELECT
        date_trunc('hour', "timestamp") AS hour,
        "Computer",
        program,
        -- What a process used before the machine's first snapshot is not counted.
        "time" - lag("time", 1, if("timestamp" = oldest, "time", 0))
            OVER (PARTITION BY "Computer", process ORDER BY "timestamp") AS seconds
    FROM processes
)
SELECT hour, "Computer", program, round(sum(seconds), 2) AS cpu_seconds
FROM used
GROUP BY hour, "Computer", program
HAVING cpu_seconds > 0
QUALIFY row_number() OVER (PARTITION BY hour ORDER BY cpu_seconds DESC) <= 10
ORDER BY hour, cpu_seconds DESC;

-- Is it running? How many processes of the program each machine had in its newest snapshot, and when it last had one.
SELECT
    "Computer",
    newest AS "timestamp",
    count(*) FILTER (WHERE program = getvariable('program') AND "timestamp" = newest) AS running,
    max("timestamp") FILTER (WHERE program = getvariable('program')) AS last_seen
FROM processes
GROUP BY "Computer", newest
ORDER BY "Computer";

-- What started: the processes that were not in the machine's first snapshot, newest first. A process that ended between two
-- snapshots is in no file.
SELECT
    min("timestamp") AS first_seen,
    "Computer",
    any_value("start") AS "start",
    pid,
    any_value("user") AS "user",
    any_value(program) AS program,
    any_value(command) AS command
FROM processes
GROUP BY "Computer", process, pid, oldest
HAVING first_seen > oldest
ORDER BY first_seen DESC, "Computer", "start" DESC, pid DESC;

-- Bytes per program: how much of the files the lines of each program take. Exclude the ones at the top to make the files smaller.
SELECT
    coalesce(json ->> 'name', split_part(json ->> 'command', ' ', 1)) AS program,
    count(*) AS lines,
    -- Each line ends with a newline.
    sum(strlen(json::VARCHAR) + 1) AS bytes
FROM read_ndjson_objects(getvariable('files'), ignore_errors = true)
WHERE json ->> 'pid' IS NOT NULL
GROUP BY program
ORDER BY bytes DESC, program;
