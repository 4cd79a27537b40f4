"""The panel *Particles*: a mask to numbered particles, followed, corrected and measured."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import napari
from qtpy.QtWidgets import (
    QDockWidget,
    QFormLayout,
    QGroupBox,
    QLabel,
    QVBoxLayout,
)

from napari_tomo4d.data import AnyData, Labels, Volume, is_series, name_of_time, times_of
from napari_tomo4d.gui.canvas.layer_picker import LayerPicker
from napari_tomo4d.gui.canvas.layers import item_of
from napari_tomo4d.gui.canvas.place import time_shown
from napari_tomo4d.gui.panels.base import Panel
from napari_tomo4d.gui.panels.particles.browser import ParticleBrowser
from napari_tomo4d.gui.panels.particles.correction_tools import (
    DELETE,
    MERGE,
    NUMBER,
    SPLIT,
    CorrectionTools,
)
from napari_tomo4d.gui.panels.particles.corrector import Corrector
from napari_tomo4d.gui.panels.particles.model import (
    FOLLOW,
    SEPARATE,
    ParticlesModel,
    found_in_words,
    is_mask,
    whole_table,
)
from napari_tomo4d.gui.panels.particles.separation_box import SeparationBox
from napari_tomo4d.gui.widgets.form import ParameterForm
from napari_tomo4d.gui.widgets.keys import CANCEL, REDO, UNDO, Keys
from napari_tomo4d.gui.widgets.messages import NO_MASK, NO_PARTICLES
from napari_tomo4d.gui.widgets.run_bar import RunBar, format_seconds
from napari_tomo4d.gui.widgets.save_dialog import ask_where
from napari_tomo4d.gui.work.runner import Runner
from napari_tomo4d.measure import write_table
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.pipeline import STEPS, run_steps
from napari_tomo4d.progress import Progress
from napari_tomo4d.segment.edits import Delete, Edit, Merge, Renumber, Split

if TYPE_CHECKING:
    from napari.layers import Layer


class ParticlePicker(LayerPicker):
    """Chooses among labels that tell single particles."""

    def _layers(self) -> list[Layer]:
        layers = super()._layers()
        return [x for x in layers if (item := item_of(x)) is not None and not is_mask(item)]


class ParticlesPanel(Panel):
    """Separate particles at their necks, follow them through time, correct and measure them."""

    title = "Particles"
    sentence = (
        "Gives each particle a number, the same at all times, and measures it. Needs a mask, or "
        "labels."
    )

    refill_steps = (SEPARATE, FOLLOW)

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self._table_dock: QDockWidget | None = None
        self._first = 0
        self.model = ParticlesModel()
        self.browser = ParticleBrowser(self, self.viewer, self.model)
        self.tables, self.picks = self.browser.tables, self.browser.picks
        self.tables.save_wanted.connect(self._save_table)
        self.picks.clicked.connect(self._clicked)
        self.picks.drawn.connect(self._drawn)
        self.picks.started.connect(lambda: self.tools.say_hint(begun=True))
        self.saver = Runner(self)
        self.corrector = Corrector(self)
        self._build_input()
        self.separate_box = SeparationBox(self)
        self.separate_box.changed.connect(self._changed)
        self.body.addWidget(self.separate_box)
        self._build_following()
        self._build_corrections()
        self.build_recipe_buttons()
        self.body.addStretch()
        self.run_bar = RunBar("Find particles")
        self.run_bar.clicked.connect(self._run)
        self.run_bar.runner.finished.connect(self._finished)
        self.foot.addWidget(self.run_bar)
        self._connect_workers()
        self.keys = Keys(
            self, {UNDO: self._undo, REDO: self._redo, CANCEL: lambda: self.tools.choose("")}
        )
        for widget in (self, self.tables):
            self.keys.watch(widget)
        self._input_changed()
        self._particles_changed()

    # -- building --------------------------------------------------------------------------

    def _build_input(self) -> None:
        form = QFormLayout()
        self.picker = LayerPicker(self.session, Labels)
        self.picker.picked.connect(self._input_changed)
        self.picker.edited.connect(self._count)
        form.addRow("Mask", self.picker)
        self.hint = QLabel()
        self.hint.setWordWrap(True)
        self.body.addLayout(form)
        self.body.addWidget(self.hint)

    def _build_following(self) -> None:
        self.follow_box = QGroupBox("2. Follow them through time")
        self.follow_box.setCheckable(True)
        layout = QVBoxLayout(self.follow_box)
        self.follow_form = ParameterForm(STEPS[FOLLOW])
        layout.addWidget(self.follow_form)
        self.follow_box.toggled.connect(self._changed)
        self.body.addWidget(self.follow_box)

    def _build_corrections(self) -> None:
        self.particles = ParticlePicker(self.session, Labels)
        self.particles.setToolTip("The particles that are corrected and measured.")
        self.particles.picked.connect(self._particles_changed)
        self.particles.edited.connect(self._particles_edited)
        self.tools = CorrectionTools(self.particles)
        self.tools.tool_changed.connect(self._tool_changed)
        self.tools.undo.connect(self._undo)
        self.tools.redo.connect(self._redo)
        self.body.addWidget(self.tools)

    def _connect_workers(self) -> None:
        self.browser.failed.connect(lambda text: self.run_bar.say(f"Error: {text}"))
        self.corrector.changed.connect(self._update_tools)
        self.corrector.told.connect(self.run_bar.say)
        self.corrector.failed.connect(self.tools.text.setText)
        self.saver.finished.connect(lambda text, _: self.run_bar.say(text))
        self.saver.failed.connect(lambda text: self.run_bar.say(f"Error: {text}"))

    # -- state -----------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether something runs, or what is shown is not up to date yet."""
        workers = (self.run_bar.runner, self.corrector.runner, self.saver)
        live = (self.separate_box.live, self.browser.live)
        return any(w.running for w in workers) or any(w.busy for w in live)

    def _input_changed(self) -> None:
        item = self.picker.item
        several = item is not None and is_series(item)
        text = NO_MASK
        if item is not None:
            shape = " x ".join(map(str, times_of(item)[0].data.shape))
            text = f"{'Mask' if is_mask(item) else 'Particles'} of {shape} voxels (z, y, x)"
            if several:
                text += f", {len(item)} time points"
            self.separate_box.setChecked(is_mask(item))
            self.follow_box.setChecked(several)
        self.input_changed()
        self.hint.setText(text)
        self.separate_box.setEnabled(item is not None)
        self.follow_box.setEnabled(several)
        self.follow_box.setToolTip("" if several else "Needs several times.")
        self._changed()

    def steps(self) -> list[tuple[str, Parameters]]:
        """Return what is to be done, in order."""
        steps = []
        if self.separate_box.isChecked():
            steps.append((SEPARATE, self.separate_box.values()))
        if self.follow_box.isChecked() and self.follow_box.isEnabled():
            steps.append((FOLLOW, self.follow_form.values()))
        return steps

    def _changed(self, *_: object) -> None:
        item = self.picker.item
        reason = "" if self.steps() else "Tick what is to be done: separate or follow particles."
        self.run_bar.set_blocked(self.hint.text() if item is None else reason)
        self._count()

    def _count(self) -> None:
        """Count the particles of the mask at the time that is looked at."""
        item = self.picker.item
        if item is None:
            self.separate_box.look_at(None, "")
        else:
            time = time_shown(self.viewer, self.picker.layer)
            self.separate_box.look_at(times_of(item)[time], name_of_time(item, time))

    # -- run -------------------------------------------------------------------------------

    def _run(self) -> None:
        item, layer, steps = self.picker.item, self.picker.layer, self.steps()
        assert item is not None, "the button is disabled without a mask"
        assert layer is not None
        self.separate_box.live.drop()
        name = f"{layer.name.removesuffix(' mask')} particles"

        def work(progress: Progress) -> object:
            found = dataclasses.replace(run_steps(item, steps, progress), name=name)
            return found, layer, found_in_words(found)

        self.run_bar.start(work)

    def _finished(self, result: Any, seconds: float) -> None:
        found, source, said = result
        # so that the same mask can be separated again with other parameters
        with self.picker.staying():
            layer = self._add(found, source)
        made = found.provenance
        notes = [f"Note: {w}" for w in made.warnings] if made else []
        text = f"“{layer.name}” in {format_seconds(seconds)}: {said}. Next: check, then Pairs."
        self.run_bar.say(text, notes)

    def _add(self, item: AnyData, source: Layer) -> Layer:
        """Show labels where one looked, over the volume that was seen."""
        step, ndisplay = self.viewer.dims.current_step, self.viewer.dims.ndisplay
        camera = self.viewer.scene.camera
        view = camera.center, camera.zoom, camera.angles
        below = [x for x in self.session.layers(Volume) if x.visible]
        layer = self.add_result(item)
        if source.ndim == layer.ndim:
            for image in below:
                image.visible = True
            self.viewer.dims.current_step = step
            if ndisplay == self.viewer.dims.ndisplay:
                camera.center, camera.zoom, camera.angles = view
        layer.opacity = 0.5
        return layer

    # -- the particles at the time shown -----------------------------------------------------

    def show_tables(self) -> None:
        """Dock the tables below the canvas, or show them again."""
        if self._table_dock is None:
            self._table_dock = self.dock_below(self.tables, "Table of particles")
        self._table_dock.show()
        self._table_dock.raise_()

    def came_to_front(self) -> None:
        """Listen to the mouse, and show the tables."""
        self.browser.listen(True)
        self.picker.refresh()
        self.particles.refresh()
        self._particles_changed()

    def went_behind(self) -> None:
        """Leave the mouse alone."""
        self.browser.listen(False)
        self.tools.choose("")
        if self._table_dock is not None:
            self._table_dock.hide()

    def slider_moved(self, _event: object = None) -> None:
        """Show the particles of another time."""
        self._count()
        self.browser.follow()

    def _particles_edited(self) -> None:
        # the last thing made in this panel, for the recipe
        self.result = self.particles.layer
        if self.recipe is not None:
            self.recipe.update_buttons()
        self._update_tools()
        self.browser.refresh()

    def _particles_changed(self) -> None:
        self._first = 0
        self._update_tools()
        if self.particles.item is not None and self.in_front:
            self.show_tables()
        self.browser.show_layer(self.particles.layer)

    # -- corrections -----------------------------------------------------------------------

    def _update_tools(self) -> None:
        item = self.particles.item
        reason = NO_PARTICLES if item is None else self.corrector.problem(self.particles.layer)
        if self.corrector.busy:
            reason = "The last correction is being made."
        words = self.corrector.words(self.particles.layer)
        self.tools.show_state(reason, *words, item is not None and is_series(item))
        if not reason:
            self.tools.say_hint(self._first)

    def _tool_changed(self) -> None:
        self._first = 0
        self.picks.draw_lines(self.tools.tool == SPLIT)
        self.tools.say_hint()
        if self.tools.tool and self.particles.layer is not None:
            # other modes of the canvas would take the clicks
            self.particles.layer.visible = True
            self.viewer.layers.selection.active = self.particles.layer
            self.particles.layer.mode = "pan_zoom"

    def _clicked(self, label: int) -> None:
        tool, item = self.tools.tool, self.particles.item
        if item is None or self.corrector.busy:
            return
        self.model.select(label)
        if tool and not label:
            self.tools.text.setText("There is no particle here; click inside one.")
            return
        time = self.model.time
        if tool == MERGE and not self._first:
            self._first = label
            self.tools.say_hint(label)
        elif tool == MERGE:
            first, self._first = self._first, 0
            self._correct(Merge(time, first, label))
        elif tool == DELETE:
            self._correct(Delete(time, label))
        elif tool == NUMBER:
            onward = self.tools.onward.isChecked() and is_series(item)
            self._correct(Renumber(time, label, self.tools.number.value(), onward))

    def _drawn(self, label: int, line: Any, view: Any) -> None:
        if not label:
            self.tools.text.setText("The line misses all particles; draw it across one.")
        elif not self.corrector.busy:
            self._correct(Split(self.model.time, label, line, view))

    def _correct(self, edit: Edit) -> None:
        self.corrector.correct(self.particles.layer, edit)

    def _undo(self) -> None:
        self.corrector.undo(self.particles.layer)

    def _redo(self) -> None:
        self.corrector.redo(self.particles.layer)

    # -- files -----------------------------------------------------------------------------

    def _save_table(self) -> None:
        item, layer = self.particles.item, self.particles.layer
        if item is None or layer is None:
            self.run_bar.say(NO_PARTICLES)
            return
        name = layer.name.replace(" ", "_")
        path = ask_where(self, "Save table", name, "Table", ".csv")
        if not path:
            return
        self.run_bar.say("Measuring all times...")

        def work(progress: Progress) -> str:
            table = whole_table(item, progress)
            write_table(table, path, overwrite=True)
            return f"Saved {len(table)} rows to {path}."

        self.saver.start(work)

    def refill(self, done: dict[str, Parameters]) -> str:
        """Fill in how particles were separated and followed; returns why it could not."""
        if not {SEPARATE, FOLLOW} & set(done):
            return "The selected layer holds no particles that were found here."
        self.separate_box.setChecked(SEPARATE in done)
        self.follow_box.setChecked(FOLLOW in done)
        self.separate_box.set_values(done.get(SEPARATE, {}))
        self.follow_form.set_values(done.get(FOLLOW, {}))
        self._changed()
        return ""
