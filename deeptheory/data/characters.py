"""The characters that are the labels of glyphs, in the order of the labels.

Candidates are the letters, digits, mathematical symbols and arrows that all twelve DejaVu faces draw, group
by group: digits, Latin capitals, Latin small letters, Greek, Cyrillic, mathematical symbols, Armenian,
Georgian, arrows, phonetic letters, other plain letters, letters with diacritics. A character that differs from
an earlier one only in size and position (x and X, Latin A and Greek Alpha, 0 and O) is skipped, because the random
scale makes the two equal; a second round takes those that differ only slightly. The rule and its thresholds are in
`tests/data/test_characters.py`, which prints this list. The list is stored here so that labels do not depend on
the version of a library.
"""

CHARACTERS = (
    "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZabdefghijkmnpqrtyΓΔΞΠΣΦΨΩαβγδεζηιλμνξπςστυφχω"
    "БДЖИЙЛЦЧШЩЪЫЬЭЮЯбйф+<=>|~¬±×÷∀∂∃∇∈∋∐∑−∓∕∗∘∙√∛∜∝∞∟∠∧∨∩∫∸∹∺∻∽≂≃≈≐≑≒≓≔≕≡≤≥⊂⊃⊆⊇⊍⊏⊐⊑⊒"
    "⊓⊔⊕⊖⊗⊘⊙⊚⊞⊟⊠⊡⊢⊣⊤⊥⋄⌠⌡⎛⎝⎞⎠⎡⎣⎤⎦⎨⎬▷◁◸◹◺◻◿♯⟠⟵⟶⧫⩪⩫ԱԲԳԴԵԶԷԸԹԺԻԽԾԿՀՁՂՃՄՅՆՇՉՊՋՌՎՏՐՒՔՖադեըթ"
    "իլխծկձճմնչպջռվտրփքֆևაბგდევზთიკლმნოპჟრსტუფქღყჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺ←↑→↓↔↕↖↗↘↙↚↛↜↝↞↟↠↡"
    "↢↣↤↥↦↧↨↩↪↫↬↭↮↯↰↱↲↳↴↵↶↷↸↹↺↻↼↽↾↿⇀⇁⇂⇃⇄⇅⇆⇇⇈⇉⇊⇋⇌⇍⇎⇏⇐⇑⇒⇓⇔⇕⇖⇗⇘⇙⇚⇛⇜⇝⇞⇟⇠⇡⇢⇣⇤⇥⇦⇧⇨⇩⇪⇫⇭⇮⇯⇰⇱⇲"
    "⇳⇴⇵⇶⇷⇸⇺⇻⇽⇾⇿ɐɑɒɓɔɕɖɗɘəɚɝɞɟɠɣɥɦɧɨɫɬɭɮɱɲɳɵɶɷɹɺɻɼɽɾɿʁʂʃʄʅʆʇʈʉʊʍʎʐʑʒʓʔʕʖʗʘʚʛʝʞʠʣʤʥʦʧʨ"
    "ʩʪʫʬʭʮʯÆØÞßæðþđĦŁłŊœŦŧƁƇƈƊƋƌƍƑƒƓƕƖƙƚƛƝƢƣƤƦƧƪƫƭƮƲƳƴƶƸƺƻƼƽƾƿǁǂǃǶȜȡȤȥȴȵȶȸȹȺȻȼȽȾȿɀɁɄ"
    "ɍϗϘϙϚϛϞϟϠϡϺϻϼϾϿЂЄЉЊЋЏђћѢѣҐґҒҔҖҘҙҚҢҤҪҫҬұҲҺӃӇӋӶᴂᴈᴉᴔᴖᴗᴝᴞᴟᵷᵻᶅⱤⱮⱵⱷⱹⱾⱿꞋꞌꞐꞑꞪªºÀÈËÌÏÑÒÙÝ"
    "àáâäåèéêëìíîïñòóôöùúûüýÿĄąĆćĉċčĎďĘęĜĝĢĤĥīĭĮįĲĳĴĵĶķĹĺĻļĽľĿŀńŅņŉŔŕŖŗřŚśŝŞşšŤťŮůŲŴŵ"
    "ŸŹźżžƠơƯưǗǘǠǡǢǣǨǩǬǭǮǯǹǽǾǿȉȑȓȘșȚțȨȩȪȫȱΆΈΉΊΌΎΏΐάέήίΰϊϋύώϐϑϒϓϔϖϰϱЃќӁӂӚӛӞӟӪӬӭӮӴӵӸӹḀḁ"
    "ḂḄḅḈḉḌḍḙḜḝḞḟḤḥḨḩḬḭḸḹḺḼḽḾḿṂṃṉṋṍṔṕṙṜṝṟṡṨṩṫṮṯṱṳṼṽṾẁẃẈẊẋẌẍẑẒẓẔẕẗẘẙẬậệỚớờỢợụỨứừỰựỳỴỵἂ"
    "ἆἊἌἎἐἒἔἘἚἜἢἦἨἪἬἮἰἲἴἶἸἺἼἾὂὄὊὌὒὔὖὙὛὟὢὦὪὬὮὰὲὶὺὼᾀᾂᾆᾐᾔᾠᾢᾦᾱᾳιῑῒῖῗῚῢῧῬῳῸῺﬁuΛθκψцщ϶∪⊛⊜◼◽"
    "⟷Ոբգյշშ⇼ɢɤɴɸʋʟʡʢÐøħŋƀƃƄƅƎƏƔƘƥƬƱɃϝџғҕңҭүҰӄӈӷꜧÃÖÜėěġĩĬňőŜţűųŷǎǐǒǔǕǖǜǟǧǫȁȅȋȧȯȰϵѓѝӫḃ"
    "ḆḇḋḎḏḓḘḛḡḣḫḱḴḵḻṈṊṌṛṞṪṰṲṷṿẅẇẉẏẠạẰằặẸẹỆỊịộỡữἀἄἡἤὉὐὤὨᾒᾖᾤᾲᾷᾺῃῆῇῈῐῤῪῶﬂ"
)
