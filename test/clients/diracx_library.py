"""The asynchronous client of DiracX: what the command does not offer."""

import asyncio
import datetime
import pathlib
import tempfile
import time

from diracx.api.jobs import create_sandbox, download_sandbox
from diracx.client.aio import AsyncDiracClient


async def sandboxes(api: AsyncDiracClient) -> None:
    """Up with the job, unpacked for it, and down again with what it wrote."""
    with tempfile.TemporaryDirectory() as here:
        script = pathlib.Path(here) / "run.sh"
        script.write_text("#!/bin/sh\ncat words/one.txt\necho made > made.log\n")
        words = pathlib.Path(here) / "words"
        words.mkdir()
        (words / "one.txt").write_text("hello\n")
        pfn = await create_sandbox([script, words], client=api)
        assert await create_sandbox([script, words], client=api) == pfn
        (job,) = await api.jobs.submit_jdl_jobs(
            [f'Executable = "run.sh"; InputSandbox = {{"{pfn}"}}; OutputSandbox = {{"std.out", "made.log"}};']
        )
        assert await api.jobs.get_job_sandbox(job.job_id, "input") == [pfn]
        assert (await api.jobs.get_job_sandboxes(job.job_id))["Output"] == [None]
        until = time.monotonic() + 240
        spec = {"parameter": "JobID", "operator": "eq", "value": str(job.job_id)}
        while True:
            (found,) = await api.jobs.search(search=[spec])
            if found["Status"] in ("Done", "Failed"):
                break
            assert time.monotonic() < until, found
            await asyncio.sleep(1)
        assert found["Status"] == "Done", found
        (output,) = await api.jobs.get_job_sandbox(job.job_id, "output")
        back = pathlib.Path(here) / "back"
        back.mkdir()
        await download_sandbox(output, back, client=api)
        assert (back / "std.out").read_text() == "hello\n"
        assert (back / "made.log").read_text() == "made\n"
        again = pathlib.Path(here) / "again"
        again.mkdir()
        await download_sandbox(pfn, again, client=api)
        assert (again / "words" / "one.txt").read_text() == "hello\n"
        # Which pilot ran it, from the side of the pilots.
        pilots = await api.pilots.search(search=[{"parameter": "JobID", "operator": "eq", "value": job.job_id}])
        assert len(pilots) == 1 and pilots[0]["VO"] == found["VO"], pilots
        await api.jobs.unassign_job_sandboxes(job.job_id)
        assert await api.jobs.get_job_sandbox(job.job_id, "output") == [None]
        await api.jobs.assign_sandbox_to_job(job.job_id, f'"{output}"')
        assert await api.jobs.get_job_sandbox(job.job_id, "output") == [output]
        await api.jobs.unassign_bulk_jobs_sandboxes({"job_ids": [job.job_id]})


async def the_rest(api: AsyncDiracClient, job_id: int) -> None:
    """Facts and signs of life of jobs, pilots of others, configuration, resources, tokens."""
    assert await api.jobs.add_heartbeat({str(job_id): {"LoadAverage": 1.0}}) == []
    await api.jobs.patch_metadata({str(job_id): {"JobName": "renamed", "HostName": "wn1"}})
    spec = {"parameter": "JobID", "operator": "in", "values": [job_id]}
    assert (await api.jobs.search(parameters=["JobName"], search=[spec]))[0]["JobName"] == "renamed"

    me = await api.auth.userinfo()
    stamp = f"library{job_id}"
    await api.pilots.register_pilot(pilot_stamp=stamp, vo=me.vo, grid_type="Slurm")
    await api.pilots.update_pilot_metadata({stamp: {"Queue": "long", "Status": "Aborted", "StatusReason": "test"}})
    mine = {"parameter": "PilotStamp", "operator": "eq", "value": stamp}
    (pilot,) = await api.pilots.search(search=[mine])
    assert (pilot["Status"], pilot["Queue"]) == ("Aborted", "long"), pilot
    assert await api.pilots.summary(grouping=["Status"], search=[mine]) == [{"Status": "Aborted", "count": 1}]

    config = await api.config.serve_config()
    assert me.vo in config["Registry"] and config["Resources"]["Sites"], config
    assert (await api.rss.get_site_status()).keys() == config["Resources"]["Sites"].keys()
    assert (await api.rss.get_storage_status()).keys() == config["Resources"]["StorageElements"].keys()
    assert await api.rss.get_compute_status() and await api.rss.get_fts_status() == {}
    assert len(await api.auth.get_refresh_tokens()) >= 1
    assert "Contact:" in await api.well_known.get_security_txt()


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

        await the_rest(api, ids[1])
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
        await sandboxes(api)


asyncio.run(main())
