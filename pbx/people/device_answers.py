"""Answers about devices, for the control socket: who uses them, where they are, PINs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pbx.control import (
    DEVICES_A_PAGE,
    BindingStatus,
    DeviceList,
    DeviceQuestion,
    DeviceStatus,
    ForgetAddress,
    ListDevices,
    SayAddress,
    SetPin,
    UseDevice,
)
from pbx.people.settings import SettingRefused
from sip.core.flow import host_port

if TYPE_CHECKING:
    from pbx.exchange import Exchange
    from pbx.people.devices import Device

MOST_USER_AGENT = 200  # characters that are told of what a device says it is


def answer_about_devices(exchange: Exchange, question: DeviceQuestion) -> DeviceList:
    """Do what was asked on the control socket, and tell of the device, or of a page of them."""
    problem = ""
    try:
        _carry_out(exchange, question)
    except SettingRefused as refused:
        problem = str(refused)
    match question:
        case ListDevices(after, extension):
            devices = sorted(exchange.devices, key=lambda device: device.sign_in)
            devices = [
                device
                for device in devices
                if device.sign_in > after
                and extension in ("", device.owner, device.extension)
                and (device.bindings or not device.is_browser)  # a page's is listed while it is there
            ][:DEVICES_A_PAGE]
        case SetPin():
            devices = []
        case _:
            devices = [device for device in exchange.devices if device.sign_in == question.device]
    return DeviceList([_status(exchange, device) for device in devices], problem)


def _carry_out(exchange: Exchange, question: DeviceQuestion) -> None:
    """Raises SettingRefused."""
    match question:
        case ListDevices():
            pass
        case UseDevice(device, "", by):
            exchange.seats.give_back(device, by)
        case UseDevice(device, extension, by):
            exchange.seats.take(device, extension, by)
        case SayAddress(device, address, by, confirm, network):
            exchange.addresses.say(device, address, by, confirm=confirm, network=network)
        case ForgetAddress(device, by, network):
            exchange.addresses.forget(device, by, network)
        case SetPin(extension, "", by):
            exchange.pins.clear(extension, by)
        case SetPin(extension, digits, by):
            exchange.pins.set(extension, digits, by)


def _status(exchange: Exchange, device: Device) -> DeviceStatus:
    seat = exchange.seats.of(device.sign_in)
    offset = exchange.clock() - exchange.driver.now
    return DeviceStatus(
        device.sign_in,
        device.owner,
        device.extension,
        seat.until if seat is not None and device.owner != device.extension else 0.0,
        [host_port(binding.flow.remote) for binding in device.bindings],
        exchange.addresses.network_of(device.sign_in),
        exchange.addresses.of(device.sign_in),
        [
            BindingStatus(
                host_port(binding.flow.remote),
                binding.flow.transport,
                binding.user_agent[:MOST_USER_AGENT],
                binding.expires_at + offset,
                exchange.registrations.reachable(binding),
            )
            for binding in device.bindings
        ],
    )
