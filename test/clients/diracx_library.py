"""The asynchronous client of DiracX: what the command does not offer."""

import asyncio
import datetime
import time

from diracx.client.aio import AsyncDiracClient


async def main() -> None:
    async with AsyncDiracClient() as api:
        jobs = await api.jobs.submit_jdl_jobs(
            ['Executable = "/bin/sleep"; Arguments = "300"; JobGroup = "library"; Parameters = 3;']
        )
        ids = [job.job_id for job in jobs]
        assert len(ids) == 3, jobs

        async def status(job_id: int) -> str:
            spec = {"parameter": "JobID", "operator": "eq", "value": str(job_id)}
            found = await api.jobs.search(parameters=["JobID", "Status"], search=[spec])
            return found[0]["Status"]

        summary = await api.jobs.summary(
            grouping=["Status"], search=[{"parameter": "JobGroup", "operator": "eq", "value": "library"}]
        )
        assert sum(line["count"] for line in summary) == 3, summary

        # The command cannot write operators of two words.
        for operator, expected in (("not like", 3), ("not in", 3)):
            other = {"value": "x%"} if operator == "not like" else {"values": ["x"]}
            name = {"parameter": "JobName", "operator": operator, **other}
            group = {"parameter": "JobGroup", "operator": "eq", "value": "library"}
            assert len(await api.jobs.search(parameters=["JobID"], search=[name, group])) == expected

        async def set_status(job_id: int, new: str) -> None:
            now = datetime.datetime.now(datetime.timezone.utc).isoformat()
            await api.jobs.set_job_statuses(
                {str(job_id): {now: {"Status": new, "MinorStatus": f"Marked as {new}", "Source": "test"}}}
            )

        await set_status(ids[0], "Killed")
        assert await status(ids[0]) == "Killed"
        await api.jobs.reschedule_jobs({"job_ids": [ids[0]]})
        assert await status(ids[0]) in ("Waiting", "Matched", "Running")
        for job_id in ids:
            await set_status(job_id, "Killed")
            await set_status(job_id, "Deleted")
            assert await status(job_id) == "Deleted"

        # Those that the command submitted run by themselves.
        until = time.monotonic() + 120
        spec = {"parameter": "JobGroup", "operator": "eq", "value": "dirac"}
        while True:
            found = await api.jobs.search(parameters=["Status"], search=[spec])
            if all(job["Status"] == "Done" for job in found):
                break
            assert time.monotonic() < until, found
            await asyncio.sleep(1)
        logged = await api.jobs.search(parameters=["JobID", "LoggingInfo"], search=[spec], per_page=100)
        assert [entry["Status"] for entry in logged[0]["LoggingInfo"]][-1] == "Done", logged[0]


asyncio.run(main())
