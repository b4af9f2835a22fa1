# The total CPU and memory of each user's processes, highest memory first: procline | jq -cs -f by-user.jq
group_by(.user)
| map({
    user: .[0].user,
    processes: length,
    cpu: (map(.cpu) | add * 10 | round / 10),
    rss: (map(.rss // 0) | add)
  })
| sort_by(-.rss)[]
