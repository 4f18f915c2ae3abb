"""Registers contactsync with Airflow; loaded by every Airflow process, so it holds nothing else."""

from airflow.plugins_manager import AirflowPlugin

from contactsync.orchestration.warm_up import warm_up_executor


class ContactSyncPlugin(AirflowPlugin):
    """What contactsync adds to Airflow."""

    name = "contactsync"


warm_up_executor()
