SELECT account_id, as_of, count(*) AS value
FROM tickets
GROUP BY account_id, as_of
