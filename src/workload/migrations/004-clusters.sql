-- How the gateway reaches a cluster; null for the processes of its own machine.
alter table compute_resource add column cluster jsonb;
